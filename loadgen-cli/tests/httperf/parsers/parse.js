// Runs httperf with the arguments that httperfjs (from npm) makes of NAME=VALUE
// arguments, and prints what its parser finds, as JSON. (Its own run() hands over
// the output when the process has exited, which may be before all of it was read.)
const { spawnSync } = require("child_process");
const HTTPerf = require("httperfjs");

const pairs = process.argv.slice(2).map((option) => {
  const at = option.indexOf("=");
  return [option.slice(0, at), option.slice(at + 1)];
});
const run = new HTTPerf(Object.fromEntries(pairs));
const ended = spawnSync("httperf", run.paramsToArray(), { encoding: "latin1" });
if (ended.error) throw ended.error;
console.log(JSON.stringify(new HTTPerf.Parser(ended.stderr + ended.stdout)));
