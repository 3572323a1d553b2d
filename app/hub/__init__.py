"""The library of installed models (and, later, the catalogue and downloads). No Qt."""
