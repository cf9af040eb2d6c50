"""What is wrong with a recording, found and, where asked, mended."""
