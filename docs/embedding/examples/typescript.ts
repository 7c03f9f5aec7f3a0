// The package knows its types: what is not there does not compile. `npm install` it from the folder that the platform serves.
import { Headrace } from '@headrace/sdk';
import type { Act, FieldDefinition, FlowManagerEvents, Widget, WidgetEvent } from '@headrace/sdk';
import { Appmixer } from '@headrace/sdk/compat';

const headrace = new Headrace({ baseUrl: 'https://flows.example.com', tokenProvider: () => fetch('/token').then((answer) => answer.text()) });
const flows = headrace.ui.FlowManager({ el: '#flows', options: { layout: 'grid', menu: [{ event: 'flow:archive', label: 'Archive' }] } });
flows.on('flow:open', ({ data, next }) => (data.flowId.startsWith('draft') ? undefined : next()));
flows.on('flow:clone-after', ({ data: { flowId, cloneId } }) => console.log(`${flowId} was copied to ${cloneId}`));
flows.on('flow:archive', ({ data }) => console.log(data.flowId)).on('close', () => undefined);
const opened = (event: WidgetEvent<FlowManagerEvents['flow:start']['data']>): void => console.log(event.data.flow.name);
flows.on('flow:start', opened).off('flow:start', opened);

// A page's own entries of a menu tell events of its own.
declare module '@headrace/sdk' {
  interface OwnEvents {
    'flow:archive': Act<{ flowId: string }>;
  }
}

// @ts-expect-error there is no such event
flows.on('flow:opened', () => undefined);
// @ts-expect-error a flow that is opened has no chart
flows.on('flow:open', ({ data }) => data.chartId);
// @ts-expect-error what is told has no -after
headrace.ui.Wizard({ flowId: 'f' }).on('cancel-after', () => undefined);
// @ts-expect-error the clone is there afterwards
flows.on('flow:clone', ({ data }) => data.cloneId);

const any: Widget[] = [flows, headrace.ui.Runs()];
for (const widget of any) widget.on('run:open', ({ data }) => console.log(data['runId']));

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
