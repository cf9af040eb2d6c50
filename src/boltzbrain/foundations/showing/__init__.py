"""How objects and progress show themselves to people: lines, tables, bars, in any terminal."""
