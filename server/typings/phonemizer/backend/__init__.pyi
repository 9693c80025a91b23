"""A package that ships no types; the modules beside this have the parts that Myna calls."""
