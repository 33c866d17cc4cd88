"""Tables of labels: what programs and data sets of the field write, and what people keep in a spreadsheet."""
