/** @xyflow/react with cards like ours. */
import { Handle, Position, ReactFlow } from '@xyflow/react';
import '@xyflow/react/dist/style.css';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { scene, settled } from './scene.js';

function Card({ data }) {
  return (
    <div className="bench-card">
      <Handle type="target" position={Position.Left} id="in" />
      <strong>{data.title}</strong>
      <span>bench</span>
      <Handle type="source" position={Position.Right} id="out" style={{ top: 20 }} />
      <Handle type="source" position={Position.Right} id="error" style={{ top: 44 }} />
    </div>
  );
}
const nodeTypes = { card: Card };

window.show = async (count) => {
  const { nodes, wires } = scene(count);
  const start = performance.now();
  const given = {
    defaultNodes: nodes.map(({ id, x, y, title }) => ({ id, type: 'card', position: { x, y }, data: { title } })),
    defaultEdges: wires.map((wire) => ({ ...wire, sourceHandle: 'out', targetHandle: 'in' })),
  };
  createRoot(document.querySelector('#host')).render(createElement(ReactFlow, { ...given, nodeTypes, fitView: true, minZoom: 0.05 }));
  while (document.querySelectorAll('.react-flow__edge').length < wires.length) await new Promise((resolve) => requestAnimationFrame(resolve));
  await settled();
  return performance.now() - start;
};
