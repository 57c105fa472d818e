// Puts the parts together.
const decisions = new Decisions(`deepsight-decisions-${gallery.digest}`);
const viewer = new Viewer(byId("viewer"), decisions);
new DecisionPanel(decisions, knownLabels());
decisions.listen(() => { for (const mark of document.querySelectorAll(".badge")) mark.redraw(); });
if (gallery.duplicates?.sheet && byId("near-duplicates")) duplicates(gallery.duplicates);
if (gallery.maps && byId("maps")) maps(gallery.maps);
if (gallery.labels && byId("candidates")) suspectedLabels(gallery.labels);
if (gallery.outliers && byId("outlier-tiles")) outliers(gallery.outliers);
if (gallery.errors) strips(gallery.errors);
if (gallery.errors && byId("filters")) new ErrorBrowser(byId("filters"), viewer, gallery.errors);
if (byId("matrix")) matrixKeys(byId("matrix"));
