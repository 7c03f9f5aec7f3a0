/**
 * A runner, with its orders as the first line of its standard input. It ends when that input ends, which it does when the
 * executor is gone.
 */

import fs from 'node:fs';

import { AuthModules } from './auth.js';
import { Calls, follow } from './calls.js';
import { Egress } from './egress.js';
import { failureOf, HostFailure, wordsOf } from './failures.js';
import { asJson } from './host.js';
import { rules } from './http.js';
import { Bundle } from './loading.js';
import { bound, current } from './output.js';
import { Plugins } from './plugins.js';
import { Codec } from './protobuf.js';
import { describeQuota } from './quota.js';
import { Caller, serve } from './rpc.js';

const MAX_SHEETS = 256;
const READY_MS = 30_000;
const VERBS = ['', 'receive', 'tick', 'start', 'stop', 'reconcile', 'signal', 'test'];
const ANSWERS_CALLER = /\bresponse\s*\(/;

class Runner {
    /** @param {Bundle} bundle @param {Calls} calls */
    constructor(bundle, calls) {
        this.bundle = bundle;
        this.calls = calls;
        this.auth = new AuthModules(bundle);
        this.plugins = new Plugins(bundle);
        /** @type {Map<string, any>} */
        this.sheets = new Map();
    }

    methods() {
        return {
            DescribeComponent: failing((request) => this.describe(request.root)),
            ScheduleNode: failing(async () => ({ schedule: Buffer.alloc(0), immediate: false })),
            TransformValue: failing(async ({ root, name, value }) => {
                const made = await this.bundle.transform(root, name)(JSON.parse(value.toString('utf8')));
                return { value: Buffer.from(JSON.stringify(made ?? null)) };
            }),
            Invoke: (/** @type {any} */ request) => this.invoke(request),
            CancelCall: async (/** @type {any} */ request) => {
                await this.calls.cancel(request.call_id);
                return {};
            },
            Beat: async () => ({ calls: this.calls.count }),
            DescribeFolder: (/** @type {any} */ request) => this.describeFolder(request),
            CallRoute: failing((request) => this.callRoute(request)),
            RunJob: failing((request) => this.plugged(request, async () => {
                await this.plugins.job(request.folder, request.id);
                return {};
            })),
            AcceptListener: failing((request) => this.plugged(request, async () => {
                const params = await this.plugins.accept(request.folder, objectOf(request.listener));
                return { params: asJson(params, 'what is kept of a listener') };
            })),
            CallAuth: failing(async ({ folder, session, name, given }) => {
                const value = await this.auth.call({ folder, session, name, given: JSON.parse(given.toString('utf8')) });
                return { value: value === undefined ? undefined : asJson(value, name) };
            })
        };
    }

    /** @param {string} root */
    async describe(root) {
        const verbs = this.bundle.verbs(root);
        return {
            answers_caller: ANSWERS_CALLER.test(this.bundle.source(root)),
            verbs: verbs.map((verb) => VERBS.indexOf(verb)),
            transforms: this.bundle.transforms(root)
        };
    }

    /**
     * Do something for a plugin. What it said goes along, whether it comes to an end or fails.
     * @param {any} request @param {() => Promise<any>} work
     */
    async plugged({ call_id: callId, config, api_url: apiUrl }, work) {
        const done = async (/** @type {any} */ call) => {
            call.apiUrl = apiUrl;
            let found;
            try {
                found = await Promise.race([work(), call.broken]);
            } catch (error) {
                found = { failure: failureOf(error) };
            }
            return { ...found, logs: call.effects?.logs };
        };
        return this.calls.under(callId, done, objectOf(config));
    }

    /** @param {any} request */
    async describeFolder(request) {
        const { call_id: callId, folder } = request;
        /** @type {{file: string, failure: any}[]} */
        const failures = [];
        const described = async (/** @type {string} */ file, /** @type {() => any} */ look) => {
            if (!this.bundle.has(folder, file)) {
                return undefined;
            }
            try {
                return asJson(await look(), file);
            } catch (error) {
                failures.push({ file, failure: failureOf(error) });
                return undefined;
            }
        };
        /** @type {any[] | undefined} */
        let logs;
        const plugin = async () => {
            const found = await this.plugged(request, async () => ({ described: await this.plugins.describe(folder) }));
            logs = found.logs;
            if (found.failure) {
                throw new HostFailure(found.failure);
            }
            return found.described;
        };
        const brought = {
            auth: await described('auth.js', () => this.auth.describe(folder)),
            quota: await described('quota.js', () => describeQuota(this.bundle.module(folder, 'quota.js'))),
            plugin: callId ? await described('plugin.js', plugin) : undefined
        };
        return { ...brought, logs, failures };
    }

    /** @param {any} request */
    async callRoute(request) {
        const { folder, method, path, headers, query, body, user, hostname } = request;
        const given = {
            method, path, headers, body, hostname, query: objectOf(query), user: user.length ? objectOf(user) : null
        };
        return this.plugged(request, async () => ({ answer: await this.plugins.route(folder, given) }));
    }

    /** @param {any} request */
    async invoke({ call_id: callId, root, verb, step }) {
        const sheet = this.sheet(step);
        if (sheet === undefined) {
            return { lacks_sheet: true };
        }
        return this.calls.invoke({ callId, root, verb: VERBS[verb] ?? '', step, sheet });
    }

    /**
     * Several calls at the same time; answers that are there together go together.
     * @param {any} request @param {(value: any) => void} send
     */
    async invokeAll({ calls }, send) {
        /** @type {{index: number, answer: any}[]} */
        let ready = [];
        const flush = () => {
            if (ready.length) {
                send({ answers: ready });
                ready = [];
            }
        };
        const one = async (/** @type {any} */ call, /** @type {number} */ index) => {
            const answer = await this.invoke(call).catch((error) => ({ failure: failureOf(error) }));
            if (ready.push({ index, answer }) === 1) {
                setImmediate(flush);
            }
        };
        await Promise.all(calls.map(one));
        flush();
    }

    /** @param {any} step */
    sheet(step) {
        const found = step.sheet ?? this.sheets.get(step.sheet_id);
        if (found) {
            this.sheets.delete(step.sheet_id);
            this.sheets.set(step.sheet_id, found);
            if (this.sheets.size > MAX_SHEETS) {
                this.sheets.delete(/** @type {string} */ (this.sheets.keys().next().value));
            }
        }
        return found;
    }
}

/** @param {Buffer} text JSON of an object, or nothing @returns {Record<string, any>} */
function objectOf(text) {
    return text.length ? JSON.parse(text.toString('utf8')) : {};
}

/** What a component's own code throws is part of the answer. @param {(request: any) => Promise<any>} answer */
function failing(answer) {
    return async (/** @type {any} */ request) => {
        try {
            return await answer(request);
        } catch (error) {
            return { failure: failureOf(error) };
        }
    };
}

/** What nobody in a component caught ends its call, and nothing else. @param {any} error */
function uncaught(error) {
    const call = current.getStore();
    if (call) {
        call.fail(error);
    } else {
        console.error(`Nobody caught: ${wordsOf(error)}`);
    }
}

/** @returns {any} the first line of the standard input */
function readOrders() {
    const piece = Buffer.alloc(64 * 1024);
    let line = '';
    while (!line.endsWith('\n')) {
        const size = fs.readSync(0, piece);
        if (size === 0) {
            process.exit(0);
        }
        line += piece.toString('utf8', 0, size);
    }
    return JSON.parse(line);
}

async function main() {
    const orders = readOrders();
    process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
    bound(orders.output_bytes);
    process.on('uncaughtException', uncaught);
    process.on('unhandledRejection', uncaught);
    const codec = new Codec(orders.contract);
    const caller = new Caller(orders.host.replace('unix:', ''), codec, 'headrace.runner.v1.HostService');
    const egress = new Egress(orders.egress);
    egress.guard();
    rules.checkPort = (port) => egress.checkPort(port);
    follow();
    const bundle = new Bundle(orders.bundle);
    const runner = new Runner(bundle, new Calls(bundle, caller));
    await serve(orders.listen.replace('unix:', ''), codec, 'headrace.runner.v1.RunnerService', runner.methods(), {
        InvokeBatch: (request, send) => runner.invokeAll(request, send)
    });
    await caller.call('ReportReady', {}, { timeoutMs: READY_MS });
}

await main();
