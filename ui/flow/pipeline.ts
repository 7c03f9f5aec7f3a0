/** A value on its way through modifiers: what is asked of the platform to see each stage, and arguments by their kind. */
import type { Json, JsonObject, ModifierCall, Transform, Variable } from './model.ts';

export interface Argument {
  name: string;
  type?: string;
  isHash?: boolean;
  required?: boolean;
}

export interface Modifier {
  label: string;
  type: string;
  category?: string[];
  description?: string;
  arguments?: Argument[];
}

/** A transform whose fields are the value as it comes and after each of its modifiers, in order. */
export function stages(variable: Variable): Transform {
  const calls = variable.functions ?? [];
  const at = Array.from({ length: calls.length + 1 }, (_, index) => String(index));
  return {
    type: 'json2new',
    lambda: Object.fromEntries(at.map((index) => [index, '{{{v}}}'])),
    modifiers: Object.fromEntries(at.map((index) => [index, { v: { ...variable, functions: calls.slice(0, Number(index)) } }])),
  };
}

/** What earlier steps sent, where the path finds this sample. */
export function outputsFor(path: string | undefined, sample: Json): JsonObject {
  const [root, ...keys] = (path ?? '').split('.');
  if (root !== '$' || keys.length < 2) return {};
  return keys.reduceRight<Json>((inner, key) => Object.fromEntries([[key, inner]]), sample) as JsonObject;
}

export function argumentOf(call: ModifierCall, known: readonly Argument[], argument: Argument): Json | undefined {
  if (argument.isHash) return call.hashParams?.[argument.name]?.value;
  return call.params?.[known.filter((each) => !each.isHash).indexOf(argument)]?.value;
}

/** The call with this argument; those before it that were never given are nothing. */
export function withArgument(call: ModifierCall, known: readonly Argument[], argument: Argument, value: Json): ModifierCall {
  if (argument.isHash) return { ...call, hashParams: { ...call.hashParams, [argument.name]: { value } } };
  const params = [...(call.params ?? [])];
  params[known.filter((each) => !each.isHash).indexOf(argument)] = { value };
  return { ...call, params: Array.from(params, (each) => each ?? { value: null }) };
}

/** A typed text as the kind that the argument has; what does not read as such stays a text. */
export function typedAs(type: string | undefined, text: string): Json {
  if (type === 'number' && text.trim() !== '' && !Number.isNaN(Number(text))) return Number(text);
  return text;
}

/** A typed sample: JSON where it reads as such, else the text. */
export function sampleOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
