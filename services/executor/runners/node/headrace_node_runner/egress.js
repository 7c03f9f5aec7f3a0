/**
 * Where connections may go: the executor's rules, put in front of every socket that this process opens. Whatever library
 * a component uses, a name is looked up here, every address it leads to is judged, and one of those is connected to.
 *
 * @typedef {{allow_private: boolean, networks: string[], hosts: string[], refused: Record<string, string[]>, local_names: string[],
 *   metadata_names: string[], closed_ports: number[]}} Policy
 */

import dns from 'node:dns';
import net from 'node:net';

const PRIVATE_KINDS = new Set(['loopback', 'private', 'shared', 'unique local', 'site local']);
const FIRST_OPEN_PORT = 1024;
const MAX_FOUND = 10_000;

export class EgressRefused extends Error {
    /** @param {string} message */
    constructor(message) {
        super(message);
        this.name = 'CancelError'; // trying again changes nothing
        this.code = 'forbidden';
    }
}

export class Egress {
    /** @param {Policy} policy */
    constructor(policy) {
        this.policy = policy;
        this.kinds = Object.entries(policy.refused).map(([kind, listed]) => ({ kind, list: new Networks(listed) }));
        this.opened = new Networks(policy.networks);
        this.openedSingly = new Networks(policy.networks.filter((each) => /\/(32|128)$/.test(each)));
        /** @type {Set<string>} addresses that declared hosts led to, the latest last */
        this.found = new Set();
        this.closedPorts = new Set(policy.closed_ports);
    }

    /** @param {number} port */
    checkPort(port) {
        const isOpen = port === 80 || port === 443 || (port >= FIRST_OPEN_PORT && !this.closedPorts.has(port));
        if (!isOpen && !this.policy.allow_private && this.policy.networks.length === 0) {
            throw new EgressRefused(`Connections to port ${port} are not allowed. Use 443, 80 or a port from 1024 up.`);
        }
    }

    /** @param {string} name of a host, before anybody is asked about it */
    checkName(name) {
        const host = name.toLowerCase().replace(/\.$/, '');
        if (this.policy.metadata_names.includes(host)) {
            throw new EgressRefused(`Connections to ${host} are not allowed: it is a cloud's metadata service.`);
        }
        const isLocal = this.policy.local_names.some((each) => host === each || host.endsWith(`.${each}`));
        if (isLocal && !this.policy.allow_private && this.policy.networks.length === 0) {
            throw new EgressRefused(`Connections to ${host} are not allowed: it is a name of an inner network.`);
        }
        this.checkDeclared(host);
    }

    /** @param {string} host */
    checkDeclared(host) {
        const { hosts } = this.policy;
        if (hosts.length && !hosts.some((each) => (each.startsWith('*.') ? host.endsWith(each.slice(1)) : host === each))) {
            throw new EgressRefused(`Connections to ${host} are not allowed: it is not among the hosts of this connector.`);
        }
    }

    /** @param {string} address @param {string} host as it was named */
    checkAddress(address, host) {
        const bare = unmapped(address.split('%')[0]);
        const found = this.kinds.find((each) => each.list.has(bare));
        if (found === undefined || (this.policy.allow_private && PRIVATE_KINDS.has(found.kind))) {
            return;
        }
        const opened = found.kind === 'cloud metadata' ? this.openedSingly : this.opened;
        if (!opened.has(bare)) {
            throw new EgressRefused(`Connections to ${host} are not allowed: it leads to a ${found.kind} address.`);
        }
    }

    /** An address in the place of a name: one that a name led to before, or a host itself. @param {string} address */
    checkNumber(address) {
        if (!this.found.has(unmapped(address))) {
            this.checkDeclared(address);
        }
    }

    /**
     * Look a name up, and answer only addresses that may be connected to.
     * @param {string} hostname @param {any} options @param {(...found: any[]) => void} done
     */
    lookup(hostname, options, done) {
        const asked = typeof options === 'object' && options !== null ? options : { family: Number(options) || 0 };
        try {
            this.checkName(hostname);
        } catch (error) {
            process.nextTick(done, error);
            return;
        }
        dns.lookup(hostname, { ...asked, all: true }, (/** @type {any} */ error, /** @type {any} */ addresses) => {
            if (error) {
                done(error);
                return;
            }
            try {
                addresses.forEach((/** @type {{address: string}} */ each) => this.checkAddress(each.address, hostname));
            } catch (refused) {
                done(refused);
                return;
            }
            addresses.forEach((/** @type {{address: string}} */ each) => this.remember(each.address));
            if (asked.all) {
                done(null, addresses);
            } else {
                done(null, addresses[0].address, addresses[0].family);
            }
        });
    }

    /** @param {string} address */
    remember(address) {
        if (this.policy.hosts.length) {
            this.found.delete(address);
            this.found.add(address);
            if (this.found.size > MAX_FOUND) {
                this.found.delete(/** @type {string} */ (this.found.values().next().value));
            }
        }
    }

    /** Stand before every connection of this process. Sockets of the machine's own are closed from here on. */
    guard() {
        const egress = this;
        const connect = net.Socket.prototype.connect;
        /** @this {net.Socket} @param {...any} given */
        net.Socket.prototype.connect = function guarded(...given) {
            // Node hands over what it has normalized already: a list of options and callback.
            const [options, callback] = Array.isArray(given[0]) ? given[0] : normalized(given);
            try {
                if (options.path) {
                    throw new EgressRefused('Connections to sockets of this machine are not allowed.');
                }
                const host = options.host || 'localhost';
                if (net.isIP(host)) {
                    egress.checkAddress(host, host);
                    egress.checkNumber(host);
                }
                const guardedOptions = {
                    ...options,
                    host,
                    lookup: (/** @type {string} */ name, /** @type {any} */ asked, /** @type {any} */ done) =>
                        egress.lookup(name, asked, done)
                };
                return connect.call(this, guardedOptions, callback);
            } catch (error) {
                process.nextTick(() => this.destroy(/** @type {Error} */ (error)));
                return this;
            }
        };
    }
}

/** @param {any[]} given to connect() @returns {[any, any]} */
function normalized(given) {
    const callback = typeof given[given.length - 1] === 'function' ? given[given.length - 1] : null;
    if (typeof given[0] === 'object' && given[0] !== null) {
        return [given[0], callback];
    }
    if (typeof given[0] === 'string' && !/^\d+$/.test(given[0])) {
        return [{ path: given[0] }, callback];
    }
    return [{ port: given[0], host: typeof given[1] === 'string' ? given[1] : undefined }, callback];
}

/** Addresses of both kinds, kept apart: Node's own list takes every IPv4 address for an IPv6 one as well. */
class Networks {
    /** @param {string[]} networks */
    constructor(networks) {
        this.ipv4 = new net.BlockList();
        this.ipv6 = new net.BlockList();
        for (const each of networks) {
            const [address, bits] = each.split('/');
            const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
            this[family].addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
        }
    }

    /** @param {string} address */
    has(address) {
        const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
        return this[family].check(address, family);
    }
}

/** The IPv4 address where one is written as IPv6. @param {string} address */
function unmapped(address) {
    const found = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
    return found ? found[1] : address;
}
