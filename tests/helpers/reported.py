"""Names in a project that is reported on, which would be code if a page took them for it."""

HOSTILE = "</script><img src=x onerror='document.title=1'>{{ 7 * 7 }}"
NOTE = '<b>who</b> & "why" </style>'
FOLDER = "se<i>cret & place"
PROJECT = "known-by-name"
PERSON = "Jane Doe"
