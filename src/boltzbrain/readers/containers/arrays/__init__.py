"""Arrays in files of any container, with what each of them is called and shaped."""
