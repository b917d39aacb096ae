"""Readers in code, one module per family of formats; what a mapping can say stands in `profiles` instead."""
