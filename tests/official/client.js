// The official Node.js SDK, unmodified. Run as `node client.js CONFIG PLAN` in a folder that has it in node_modules:
// the SDK's own configuration, and a list of [api, call, argument], both JSON. Prints a JSON line for each call.
// "$id" stands for the id of the last provider.
const { createRequire } = require('node:module');
const path = require('node:path');
const okta = createRequire(path.join(process.cwd(), 'package.json'))('@okta/okta-sdk-nodejs');

// The SDK wants dates as Date.
const revive = (name, value) => (['timestamp', 'expiresAt'].includes(name) ? new Date(value) : value);

async function main(config, plan) {
  const client = new okta.Client(config);
  let lastId;
  for (const [api, call, argument] of plan) {
    const filled = JSON.parse(JSON.stringify(argument).replaceAll('$id', lastId), revive);
    try {
      let value = await client[api][call](filled);
      if (value && typeof value.getNextPage === 'function') {
        value = await value.getNextPage();
      }
      lastId = value && value.id ? value.id : lastId;
      console.log(JSON.stringify({ call, value: value === undefined ? null : value }));
    } catch (error) {
      console.log(JSON.stringify({ call, error: String(error.message || error), status: error.status }));
    }
  }
}

main(JSON.parse(process.argv[2]), JSON.parse(process.argv[3]));
