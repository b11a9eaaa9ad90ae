"""The vocabulary that everything else is written in: errors, dtypes, shapes, nests, and the row class of the table."""
