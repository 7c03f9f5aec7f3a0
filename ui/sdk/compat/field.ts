/** Fields that are components of the host's own Vue, as fields of ours. */
import type { FieldContext, FieldDefinition } from '../fields.ts';

interface Made {
  $set?(target: object, key: string, value: unknown): void;
  $destroy?(): void;
  $el?: Element;
}

/** The host's Vue: version 2 is a class, version 3 has `createApp`. */
export interface HostVue {
  new (options: object): Made & { $mount(host: Element): Made };
  createApp?(options: object): { mount(host: Element): unknown; unmount(): void };
  h?(of: unknown, properties: object): unknown;
  reactive?<T extends object>(of: T): T;
}

/** What the component gets beside what it says itself. */
const GIVEN = {
  props: ['context', 'value', 'errors', 'disabled'],
  computed: {
    invalid(this: { errors?: unknown[] }): boolean {
      return Boolean(this.errors?.length);
    },
  },
  methods: {
    change(this: { $emit(name: string, value: unknown): void }, value: unknown): void {
      this.$emit('change', value);
    },
  },
};

const propsOf = (field: FieldContext): Record<string, unknown> => ({ context: field.context, value: field.value, errors: [...field.errors], disabled: field.disabled });

/** A definition of ours is taken as it is; one of Vue is mounted by the host's Vue. Raises where there is none. */
export function fieldOf(definition: unknown, vue: () => HostVue | undefined): FieldDefinition {
  if (typeof (definition as FieldDefinition | undefined)?.mount === 'function') return definition as FieldDefinition;
  const component = { ...(definition as { mixins?: unknown[] }), mixins: [GIVEN, ...((definition as { mixins?: unknown[] }).mixins ?? [])] };
  return {
    mount(host, field) {
      const Vue = vue();
      if (!Vue) throw new Error("This field is a component of Vue, and the page has no Vue. Load it before, or give the field a function 'mount'.");
      const place = host.appendChild(document.createElement('div'));
      let current = field;
      const changed = (value: unknown): void => current.change(value);
      if (Vue.createApp && Vue.h && Vue.reactive) {
        const state = Vue.reactive({ props: propsOf(field) });
        const { h } = Vue;
        const app = Vue.createApp({ render: () => h(component, { ...state.props, onChange: changed }) });
        app.mount(place);
        return { update: (next) => ((current = next), (state.props = propsOf(next)), undefined), destroy: () => app.unmount() };
      }
      const state = { props: propsOf(field) };
      const made = new Vue({ data: () => state, render: (h: (of: unknown, options: object) => unknown) => h(component, { props: state.props, on: { change: changed } }) }).$mount(place);
      return { update: (next) => ((current = next), (state.props = propsOf(next)), undefined), destroy: () => (made.$destroy?.(), made.$el?.remove(), undefined) };
    },
  };
}

/** Tools of the host in a toolbar: a component of Vue is mounted by the page's Vue, what mounts itself is taken as it is. */
export function toolbarOf(toolbar: unknown, vue: () => HostVue | undefined): unknown {
  if (!Array.isArray(toolbar)) return toolbar;
  return toolbar.map((group: unknown) => (Array.isArray(group) ? group.map((each: unknown) => toolOf(each, vue)) : group));
}

function toolOf(given: unknown, vue: () => HostVue | undefined): unknown {
  const { widget } = (given ?? {}) as { widget?: { mount?: unknown } };
  if (!widget || typeof given !== 'object' || typeof widget.mount === 'function') return given;
  const field = fieldOf(widget, vue);
  const mount = (host: HTMLElement, { disabled, ...context }: { disabled: boolean }): unknown => field.mount(host, { value: undefined, errors: [], invalid: false, disabled, context: context as never, change: () => undefined });
  return { ...given, widget: { mount } };
}
