"""What people do with the labels themselves, as rows of the journal: define, order, split, retire, delete."""
