// A widget of Headrace as a component of React 18 or 19: <HeadraceWidget headrace={headrace} name="FlowManager" on={{ 'flow:open': … }} />
import { createElement, useEffect, useRef } from 'react';

export function HeadraceWidget({ headrace, name, on = {}, className, ...config }) {
  const place = useRef(null);
  const heard = useRef(on);
  heard.current = on;
  const asked = JSON.stringify(config);

  useEffect(() => {
    const widget = headrace.ui[name]({ el: place.current, ...JSON.parse(asked) });
    for (const type of Object.keys(heard.current)) widget.on(type, (event) => heard.current[type]?.(event));
    widget.open().catch(reportError);
    return () => void widget.destroy();
  }, [headrace, name, asked]);

  return createElement('div', { ref: place, className });
}
