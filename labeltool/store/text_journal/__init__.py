"""The journal as text: `lines` has the format and writes it, `reading` brings it into a project."""
