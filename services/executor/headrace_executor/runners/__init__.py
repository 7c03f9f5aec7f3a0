"""Published components: their bundles on disk, the processes that host them, and the calls in between."""
