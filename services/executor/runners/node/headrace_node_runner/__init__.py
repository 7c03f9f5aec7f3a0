"""The JavaScript of the Node runner, beside Python so that it is installed with it. Nothing here is imported."""
