"""What the objects that people hold in Python tell of themselves, in lines and in a notebook."""
