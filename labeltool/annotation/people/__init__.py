"""Labels of several people: how far they agree, where they differ, who labels what."""
