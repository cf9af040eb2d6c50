"""What commands print on stdout when they are done."""
