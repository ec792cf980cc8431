// A page around what a framework made on the server.
export function shell(name, body, more = '') {
  return `<!doctype html>
<html lang="ru">
<head>
  <meta charset="utf-8">
  <title>${name}</title>
  <link rel="icon" href="data:,">
  <script async src="https://track.example/s/acme.js"></script>
  <script defer src="/${name}.js"></script>
</head>
<body>
${body}
${more}
</body>
</html>
`;
}
