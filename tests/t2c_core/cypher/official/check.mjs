// Reads JSON lines {id, cypher, version} and writes {id, ok, errors}: what Neo4j's own language support says of each.
// The environment variable GRAPHLING_OFFICIAL_PARSER names the node_modules folder that holds it.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(resolve(process.env.GRAPHLING_OFFICIAL_PARSER, 'from-here.js'));
const { isNotParamError, lintCypherQuery } = require('@neo4j-cypher/language-support');
const ERROR = 1;

for await (const line of createInterface({ input: process.stdin })) {
  const { id, cypher, version } = JSON.parse(line);
  const schema = { defaultLanguage: `CYPHER ${version}` };
  const { diagnostics } = lintCypherQuery(cypher, schema, { consoleCommandsEnabled: false });
  const errors = diagnostics.filter((found) => found.severity === ERROR && isNotParamError(found));
  const messages = errors.map((found) => found.message);
  process.stdout.write(JSON.stringify({ id, ok: messages.length === 0, errors: messages }) + '\n');
}
