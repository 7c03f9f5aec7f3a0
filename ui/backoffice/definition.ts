import type { Definition } from '../kit/widget.ts';

/** The panel. What is inside comes when it is opened, which is for administrators alone. */
export const OFFICE: Definition = { name: 'backoffice', tag: 'hr-backoffice', load: () => import('./office.ts').then((found) => found.default) };
