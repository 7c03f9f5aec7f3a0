// A widget of Headrace as a component of Vue 3: <HeadraceWidget :headrace="headrace" name="FlowManager" @told="…" />
import { defineComponent, h, onBeforeUnmount, onMounted, ref, watch } from 'vue';

export const HeadraceWidget = defineComponent({
  props: { headrace: { type: Object, required: true }, name: { type: String, required: true }, config: { type: Object, default: () => ({}) }, events: { type: Array, default: () => [] } },
  emits: ['told'],
  setup(props, { emit }) {
    const place = ref();
    let widget;
    const close = () => widget?.destroy();
    const open = () => {
      widget = props.headrace.ui[props.name]({ el: place.value, ...props.config });
      for (const type of props.events) widget.on(type, (event) => emit('told', event));
      widget.open().catch(reportError);
    };
    onMounted(open);
    onBeforeUnmount(close);
    watch(() => [props.headrace, props.name, props.config], async () => {
      await close();
      open();
    });
    return () => h('div', { ref: place });
  },
});
