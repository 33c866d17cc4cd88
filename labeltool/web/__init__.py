"""Pages in a browser: who may open them, the server that ends with its command, and the page to try a model."""
