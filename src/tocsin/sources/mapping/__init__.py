"""One declarative mapping: paths select, tables decide. The built-in JSON formats are such mappings (`profiles`)."""
