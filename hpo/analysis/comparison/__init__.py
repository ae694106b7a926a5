"""Several studies side by side, as data: their best scores, curves and settings, and which scores compare."""
