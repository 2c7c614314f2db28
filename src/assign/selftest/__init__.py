"""Is this build of the draw sound? Known answers and statistics on what is installed; needs the library alone."""
