"""Pages of HTML that are one file: the base that all of them extend, and how they are rendered."""
