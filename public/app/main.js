import { takeTokenFromUrl } from './address.js';
import { Connection } from './connection.js';
import { Identity } from './identity.js';
import { ChatPage } from './view/chat-page.js';
import { startTheme } from './view/theme.js';

startTheme();
const identity = new Identity(takeTokenFromUrl());
const connection = new Connection(identity);
window.addEventListener('hashchange', () => {
  const token = takeTokenFromUrl();
  if (!token) return;
  identity.take(token);
  connection.restart();
});
new ChatPage({ identity, connection }).start();
connection.start();
