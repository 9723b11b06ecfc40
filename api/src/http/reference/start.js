// Draws the reference, of each product in SOURCES. What Scalar would ask others for – fonts, its proxy, its agent, its
// counters – is off, and so is what leads to services of its makers.
Scalar.createApiReference("#reference", SOURCES.map((source) => ({
  ...source,
  // Requests go where the page came from.
  servers: [{ url: location.origin }],
  proxyUrl: "",
  // Fields stand as they are answered.
  orderSchemaPropertiesBy: "preserve",
  orderRequiredPropertiesFirst: false,
  defaultOpenAllTags: true,
  // A key that was typed in is forgotten with the page.
  persistAuth: false,
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: "never",
  hideClientButton: true,
})));
