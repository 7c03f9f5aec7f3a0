"""The flow manager keeps its promises."""
