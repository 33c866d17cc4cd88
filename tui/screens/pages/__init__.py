"""Views of pages of clips that are labelled at once: Batch review and Clusters."""
