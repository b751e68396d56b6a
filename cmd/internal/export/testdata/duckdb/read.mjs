// Reads exports with DuckDB and prints rows, one JSON object a line.
// node read.mjs FILE: all rows of a table. Of .csv every cell is text, exactly as it is
// in the file; times are spelled as JSON Lines spells them; payload and record are left
// out.
// node read.mjs --sql QUERY: what the query finds.
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'

const db = await (await DuckDBInstance.create(':memory:')).connect()
const rows = async (sql) => (await db.runAndReadAll(sql)).getRowObjectsJson()

const time = "'%Y-%m-%dT%H:%M:%SZ'"
const spelled = {
	'TIMESTAMP WITH TIME ZONE': (name) => `strftime(make_timestamp(epoch_us("${name}")), ${time}) AS "${name}"`,
	TIMESTAMP: (name) => `strftime("${name}", ${time}) AS "${name}"`,
}
const readers = {
	csv(file) {
		const names = readFileSync(file, 'utf8').split('\r\n', 1)[0].split(',').map((name) => `'${name}': 'VARCHAR'`)
		return `read_csv('${file}', header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', columns = {${names.join(', ')}})`
	},
	jsonl: (file) => `read_json('${file}', format = 'newline_delimited', sample_size = -1, maximum_depth = 3, map_inference_threshold = -1)`,
	parquet: (file) => `read_parquet('${file}')`,
}

async function table(file) {
	const from = readers[file.split('.').pop()](file)
	const columns = (await rows(`DESCRIBE SELECT * FROM ${from}`)).filter((c) => !['payload', 'record'].includes(c.column_name))
	const all = columns.map(({ column_name: name, column_type: type }) => spelled[type]?.(name) ?? `"${name}"`)
	const found = await rows(`SELECT ${all.join(', ')} FROM ${from}`)
	for (const { column_name: name } of columns.filter((c) => c.column_type === 'BIGINT')) {
		for (const row of found) row[name] = Number(row[name])
	}
	return found
}

const [what, query] = process.argv.slice(2)
for (const row of await (what === '--sql' ? rows(query) : table(what))) console.log(JSON.stringify(row))
