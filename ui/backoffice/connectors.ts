/** A connector as administrators see it. */
import type { JsonObject } from '../kit/types.ts';

export interface Connector {
  name: string;
  label: string;
  icon: string | null;
  description: string | null;
  version: string | null;
  bundles: Record<string, string>;
  changelog: unknown;
  isBuiltIn: boolean;
  isPrivate: boolean;
  configuration: JsonObject | null;
  isConfigured: boolean;
  needsAccount: boolean;
  components: number;
}

export interface Using {
  flowId: string;
  userId: string;
  name: string;
}
