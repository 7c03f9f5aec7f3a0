/** Shapes that the API answers with, beside those of flows. */
import type { Form, Json } from '../flow/model.ts';

export type { Flow, Form, Json, JsonObject, Manifest, Transform } from '../flow/model.ts';
export type { Modifier } from '../flow/pipeline.ts';

export interface OfferedVariable {
  componentId: string;
  port: string;
  label: string;
  value: string;
  sample?: Json;
}

interface Offered {
  inspector: Form;
  variables: { static: OfferedVariable[]; dynamic: OfferedVariable[] };
}

export interface Offer {
  links?: Record<string, Record<string, Record<string, Offered>>>;
  properties?: Offered;
}
