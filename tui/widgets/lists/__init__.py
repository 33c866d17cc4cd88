"""Parts of the lists of clips: the list, its headings, thumbnails, the labels with counts."""
