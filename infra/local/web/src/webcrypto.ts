// What the signaling library calls isomorphic-webcrypto: a browser signs with its own.
export default globalThis.crypto;
