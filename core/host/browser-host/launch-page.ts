// The page that a printed address opens: it trades the code behind "#" for a session and goes on to the app. Plain files of
// their own, because the content security policy allows no inline scripts.

import { LAUNCH_PATH } from '../../protocol/browser-host.ts';

export const LAUNCH_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nestbox</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/launch.css">
<script src="/launch.js" defer></script>
</head>
<body>
<main>
<h1>Nestbox</h1>
<p id="message" role="status">Opening …</p>
<p lang="zh-CN" id="message-zh"></p>
</main>
<noscript>Nestbox needs JavaScript.</noscript>
</body>
</html>
`;

export const LAUNCH_SCRIPT = `const code = location.hash.slice(1);
history.replaceState(null, '', location.pathname);
const say = (en, zh) => {
  document.getElementById('message').textContent = en;
  document.getElementById('message-zh').textContent = zh;
};
const help = () => say('This address has been used or is too old. Run “nestbox serve” again: it prints a new one.', '此地址已使用过或已过期。请再次运行 “nestbox serve”，它会显示新的地址。');
if (code === '') help();
else {
  fetch('${LAUNCH_PATH}', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) })
    .then(async (answer) => {
      if (!answer.ok) return help();
      location.replace((await answer.json()).path);
    })
    .catch(() => say('Nestbox does not answer. Is it still running?', 'Nestbox 没有响应。它还在运行吗？'));
}
`;

export const LAUNCH_STYLE = `:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { display: grid; min-height: 100vh; margin: 0; place-items: center; }
main { max-width: 36rem; padding: 2rem; text-align: center; }
`;

export const MISSING_APP_PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Nestbox</title><link rel="stylesheet" href="/launch.css"></head>
<body><main><h1>Nestbox</h1><p>The app has not been built yet. Run “npm run build”, then start Nestbox again.</p></main></body>
</html>
`;
