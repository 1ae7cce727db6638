/** The floor of `service`: a bare Fastify that reads one row by its primary key. A process of its own, as the server is. */
import Fastify from "fastify";
import pg from "pg";

const [settings = "{}", connections = "10"] = process.argv.slice(2);
const pool = new pg.Pool({ ...JSON.parse(settings), max: Number(connections) });
const id = "01a20b05-b6ea-7abb-bb20-b3c05e9d7957";
await pool.query("create table floor_rows (id uuid primary key, body text not null)");
await pool.query("insert into floor_rows values ($1, repeat('x', 1500))", [id]);
const app = Fastify();
app.get("/:id", async () => {
  const query = { name: "row", text: "select * from floor_rows where id = $1", values: [id] };
  return (await pool.query(query)).rows[0];
});
console.log(`${await app.listen({ host: "127.0.0.1", port: 0 })}/${id}`);
