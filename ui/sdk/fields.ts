/** Fields of the host's own in the inspector. They need no framework: an element comes in, values go out. */

export interface FieldDefinition {
  mount(host: HTMLElement, field: FieldContext): { update(field: FieldContext): void; destroy(): void };
}

export interface FieldContext {
  readonly value: unknown;
  readonly errors: readonly string[];
  readonly invalid: boolean;
  readonly disabled: boolean;
  readonly context: {
    readonly componentId: string;
    readonly inputManifest: object;
    readonly componentManifest: object;
    /** Where the value stands in the step, such as `config/properties/name`. */
    readonly descriptorPath: string;
    readonly variables: readonly object[];
  };
  change(value: unknown): void;
}

export interface FieldOptions {
  readOnly?: boolean | 'nocursor';
  /** Whether the value may be one of an earlier step as well. */
  singleVariable?: boolean;
  clearButton?: boolean;
}

export interface RegisteredField {
  readonly definition: FieldDefinition;
  readonly options: FieldOptions;
}
