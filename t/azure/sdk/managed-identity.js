// Gets one token as a managed identity, and prints what it is.  A process of
// its own, as the client remembers for all credentials where it got one.

import { ManagedIdentityCredential } from '@azure/identity';

const [scope, clientId] = process.argv.slice(2);
const credential = new ManagedIdentityCredential(clientId && { clientId });

console.log(JSON.stringify(await credential.getToken(scope)));
