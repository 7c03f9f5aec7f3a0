/** Calls of components: what each one has open, and how it ends early. */

import net from 'node:net';
import { promisify } from 'node:util';

import { contextOf, withScope } from './context.js';
import { Effects } from './effects.js';
import { CancelError, failureOf } from './failures.js';
import { Ask } from './host.js';
import { current } from './output.js';

const LET_GO_MS = 200;
const LONGEST_TRACE = 2000;
const MENTIONS_STATE = /\bstate\b/;
const MENTIONS_SCOPE = /\bscope\b/;

/** One call under way. */
export class Call {
    constructor() {
        this.stopping = new AbortController();
        this.signal = this.stopping.signal;
        /** @type {Set<NodeJS.Timeout | NodeJS.Immediate>} */
        this.timers = new Set();
        /** @type {Set<import('node:net').Socket>} */
        this.sockets = new Set();
        /** @type {Effects | undefined} */
        this.effects = undefined;
        /** The stored configuration of the service, for a plugin. @type {Record<string, any>} */
        this.config = {};
        /** Address of the platform's API, for a plugin. */
        this.apiUrl = '';
        /** Rejects with what nobody in the component caught. @type {Promise<never>} */
        this.broken = new Promise((_, reject) => {
            this.fail = reject;
        });
        this.broken.catch(() => {});
    }

    /** @param {string} level @param {any} message */
    log(level, message) {
        this.effects?.log(level, message);
    }

    /** Take away everything that could wake the component again. */
    stop() {
        this.stopping.abort();
        this.timers.forEach((each) => {
            clearTimeout(/** @type {any} */ (each));
            clearImmediate(/** @type {any} */ (each));
        });
        this.sockets.forEach((each) => each.destroy());
        this.fail(new CancelError('The call was cancelled.'));
    }
}

export class Calls {
    /** @param {import('./loading.js').Bundle} bundle @param {import('./rpc.js').Caller} caller */
    constructor(bundle, caller) {
        this.bundle = bundle;
        this.caller = caller;
        /** @type {Map<string, {call: Call, done: Promise<any>}>} */
        this.underWay = new Map();
    }

    get count() {
        return this.underWay.size;
    }

    /**
     * Call a component. What it throws is in the answer.
     * @param {{callId: string, root: string, verb: string, step: any, sheet: any}} given
     */
    async invoke({ callId, root, verb, step, sheet }) {
        if (this.underWay.has(callId)) {
            throw new Error('A call has one id, and no other call has it.');
        }
        return this.under(callId, (call, ask) => this.called(call, ask, { root, verb, step, sheet }));
    }

    /**
     * Do something under the id of a call: what it opens is known, and it can be cancelled.
     * @template T
     * @param {string} callId @param {(call: Call, ask: Ask) => Promise<T>} work @param {Record<string, any>} [config]
     * @returns {Promise<T>}
     */
    async under(callId, work, config = {}) {
        const call = new Call();
        call.config = config;
        const ask = new Ask(this.caller, callId, call.signal);
        call.effects = new Effects(ask);
        const done = current.run(call, () => work(call, ask));
        this.underWay.set(callId, { call, done });
        try {
            return await done;
        } finally {
            this.underWay.delete(callId);
        }
    }

    /** End a call; answers when nothing of it runs any more. @param {string} callId */
    async cancel(callId) {
        const found = this.underWay.get(callId);
        if (found) {
            found.call.stop();
            const ended = found.done.catch(() => {}); // however it ended, it did
            await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LET_GO_MS))]);
        }
    }

    /** @param {Call} call @param {Ask} ask @param {{root: string, verb: string, step: any, sheet: any}} given */
    async called(call, ask, { root, verb, step, sheet }) {
        const effects = /** @type {Effects} */ (call.effects);
        try {
            const component = this.bundle.component(root);
            if (typeof component[verb] !== 'function') {
                throw new CancelError(`${root} has no method ${verb}.`);
            }
            const manifest = this.bundle.manifest(root);
            const context = contextOf({ step, sheet, verb, manifest, effects, ask, appmixerApiUrl: '' });
            if (MENTIONS_STATE.test(this.bundle.source(root))) {
                await this.loadState(context);
            }
            if (MENTIONS_SCOPE.test(this.bundle.source(root))) {
                withScope(context, await ask.scope());
            }
            const happened = await Promise.race([component[verb](context), call.broken]);
            await effects.settle();
            return {
                effects: effects.toWire(),
                happened: verb === 'reconcile' && typeof happened === 'boolean' ? happened : undefined
            };
        } catch (error) {
            if (!(error instanceof CancelError)) {
                effects.log('error', this.trace(error));
            }
            return { effects: { logs: effects.logs }, failure: failureOf(error) };
        }
    }

    /** Where there is no state, who looks at it hears so. @param {any} context */
    async loadState(context) {
        try {
            await context.loadState();
        } catch (error) {
            if (!(error instanceof CancelError)) {
                throw error;
            }
            Object.defineProperty(context, 'state', {
                enumerable: false,
                get: () => {
                    throw error;
                }
            });
        }
    }

    /** Where in the bundle it happened. @param {any} error */
    trace(error) {
        const lines = String(error?.stack ?? '').split('\n').filter((each) => each.includes(this.bundle.folder));
        const places = lines.map((each) => each.replaceAll(`${this.bundle.folder}/`, '').replace(/^\s*at /, ''));
        return `${error?.name ?? 'Error'} at ${places.slice(0, 10).join(' < ') || 'a place outside the bundle'}`.slice(0, LONGEST_TRACE);
    }
}

/** From here on timers and connections are known to the call that made them; one that is over makes none. */
export function follow() {
    const { setTimeout: later, setInterval: again, setImmediate: soon } = globalThis;
    /** @param {any} start @param {boolean} isOnce */
    const followed = (start, isOnce) => (/** @type {any} */ work, /** @type {any[]} */ ...given) => {
        const call = current.getStore();
        if (call === undefined || typeof work !== 'function') {
            return start(work, ...given);
        }
        const handle = start((/** @type {any[]} */ ...values) => {
            if (isOnce) {
                call.timers.delete(handle);
            }
            work(...values);
        }, ...given);
        call.timers.add(handle);
        if (call.signal.aborted) {
            clearTimeout(handle);
            clearImmediate(handle);
        }
        return handle;
    };
    const timeout = /** @type {any} */ (followed(later, true));
    timeout[promisify.custom] = (/** @type {number} */ delay, /** @type {any} */ value) =>
        new Promise((resolve) => timeout(resolve, delay, value));
    const immediate = /** @type {any} */ (followed(soon, true));
    immediate[promisify.custom] = (/** @type {any} */ value) => new Promise((resolve) => immediate(resolve, value));
    globalThis.setTimeout = timeout;
    globalThis.setInterval = /** @type {any} */ (followed(again, false));
    globalThis.setImmediate = immediate;

    const connect = net.Socket.prototype.connect;
    /** @this {net.Socket} @param {...any} given */
    net.Socket.prototype.connect = function followedConnect(...given) {
        const call = current.getStore();
        if (call) {
            call.sockets.add(this);
            this.once('close', () => call.sockets.delete(this));
            if (call.signal.aborted) {
                process.nextTick(() => this.destroy(new CancelError('The call was cancelled.')));
                return this;
            }
        }
        return connect.apply(this, /** @type {any} */ (given));
    };
}
