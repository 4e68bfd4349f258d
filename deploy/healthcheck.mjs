// Whether the service in this container is ready: exit 0 or 1. Run by the image's HEALTHCHECK.
const { PORT = '3000', TLS_CERT_FILE } = process.env;
// The certificate is for the service's public name: whoever asks from within meets it under another one.
if (TLS_CERT_FILE) process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
const url = `${TLS_CERT_FILE ? 'https' : 'http'}://127.0.0.1:${PORT}/api/ws/health/ready`;
const isReady = await fetch(url).then(
  ({ ok }) => ok,
  () => false,
);
process.exitCode = isReady ? 0 : 1;
