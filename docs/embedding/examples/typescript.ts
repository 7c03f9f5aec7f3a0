// The package knows its types: what is not there does not compile. `npm install` it from the folder that the platform serves.
import { Headrace } from '@headrace/sdk';
import type { FieldDefinition, Widget, WidgetEvent } from '@headrace/sdk';
import { Appmixer } from '@headrace/sdk/compat';

const headrace = new Headrace({ baseUrl: 'https://flows.example.com', tokenProvider: () => fetch('/token').then((answer) => answer.text()) });
const flows: Widget<{ layout?: 'list' | 'grid' | 'thumbnail' }> = headrace.ui.FlowManager({ el: '#flows', options: { layout: 'grid' } });
flows.on('flow:open', (event: WidgetEvent) => void event.next());

const stars: FieldDefinition = {
  mount(host, field) {
    host.textContent = String(field.value ?? 0);
    return { update: (next) => (host.textContent = String(next.value)), destroy: () => host.replaceChildren() };
  },
};
headrace.registerInspectorField('stars', stars);
await headrace.ui.Designer({ el: '#designer', flowId: 'f' }).showRun('r');

// @ts-expect-error there is no such widget
headrace.ui.Nothing({});

new Appmixer({ baseUrl: 'https://flows.example.com' }).ui['Wizard']?.({ flowId: 'f' });
