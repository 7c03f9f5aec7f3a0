"""All of JSONata's functions that there are. Importing this fills the table; `$eval` is left out on purpose."""

from headrace_core.expressions.jsonata import list_functions, number_functions, text_functions
from headrace_core.expressions.jsonata.toolbox import FUNCTIONS, Toolbox

_FAMILIES = (text_functions, number_functions, list_functions)

__all__ = ["FUNCTIONS", "Toolbox"]
