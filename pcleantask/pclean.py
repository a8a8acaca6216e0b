# Generated from xml/pclean.xml by scripts/generate_task.py: edit that, and run the script.
"""The task pclean, in the form of casatasks' tasks: signature, type check, task log."""

from __future__ import annotations

from typing import Any

from .private import task_call as _task_call


class _pclean:
    """
    pclean ---- Image visibilities as tclean does, on all cores

    Makes images from interferometer data and deconvolves them, with the parameters and the images of CASA's tclean.
    parallel=True shares the work among the cores of this machine or the ranks of an MPI job. A cube is then the one
    that serial tclean makes, bit for bit, on any number of workers; a continuum image agrees to float rounding.
    Input that can't be imaged raises an error with the value and the way out before any work is done.

    --------- parameter descriptions ---------------------------------------------

    vis                  Path of the MeasurementSet, or a list of paths whose data are imaged together.
                         Where there are several, each selection parameter below takes one value for all or a list with one value
                         per path.
                         Example: vis='ngc5921.ms', vis=['day1.ms', 'day2.ms']
    selectdata           Shows or hides, in the CASA shell, the parameters field to intent. As in tclean, a selection that is given acts
                         all the same.
    field                Fields to image, in MSSelection syntax: ids, names, ranges, with '*' as wild card. '' takes every field.
                         Example: field='0~2', field='3C286,NGC*', field=['0', '1~3'] for two MeasurementSets
    spw                  Spectral windows to image, with channels after a colon; ';' joins channel ranges of one window. '' takes
                         all. Output channels to which no selected data contribute stay empty.
                         Example: spw='0,3', spw='0:5~61', spw='1:3~10;20~30,2', spw='230.1~230.6GHz'
    timerange            Only data taken in this range (UTC). Without a date, the first day of the data is meant. '' takes all
                         times.
                         Example: timerange='2024/05/01/09:00:00~2024/05/01/10:30:00', timerange='>09:45:00'
    uvrange              Only visibilities whose projected baseline is in this range. Unit: metres where none is given. '' takes
                         all.
                         Example: uvrange='>15m', uvrange='0~300klambda'
    antenna              Only these antennas or baselines: '&' joins the two ends of a baseline, '!' leaves out. '' takes all.
                         Example: antenna='DV01,DV02', antenna='3&5;6&8', antenna='!DA41'
    scan                 Only these scans. '' takes all.
                         Example: scan='4,7~9'
    observation          Only data with these ids of the OBSERVATION table. '' takes all.
                         Example: observation='0~2', observation=1
    intent               Only scans observed with one of these intents; '*' is a wild card. '' takes all.
                         Example: intent='OBSERVE_TARGET*'
    datacolumn           'corrected' (calibrated), for which '' stands as well, or 'data' (as observed). 'corrected' falls back on
                         DATA in a MeasurementSet without CORRECTED_DATA.
    imagename            Products are written as <imagename>.image, .residual, .model, .psf, .pb, .mask, .sumwt and so on; with
                         deconvolver='mtmfs' each is followed by .tt0, .tt1, ... A folder in the name puts them there. Products
                         that exist already under this name are continued from; see restart.
                         Example: imagename='results/ngc5921'
    imsize               Number of pixels along right ascension and declination; one number makes a square image.
                         Even sizes made of the factors 2, 3 and 5 give the fastest FFTs.
                         Example: imsize=512, imsize=[640, 480]
    cell                 Angular size of a pixel along each axis, about a fifth of the synthesized beam; a quantity with its unit,
                         or a number of arcsec.
                         Example: cell='0.1arcsec', cell=['2arcsec', '2arcsec'], cell=0.1
    phasecenter          Direction of the central pixel, with its frame; or the id of a field; or a solar-system body, an ephemeris
                         table or 'TRACKFIELD' for a moving source. '' takes the centre of the first selected field.
                         Example: phasecenter='ICRS 12h22m54.9s +15d49m15s', phasecenter=2, phasecenter='MARS'
    stokes               Stokes parameters or correlations to image. A visibility with one flagged correlation is left out as a
                         whole, except with 'pseudoI', which makes Stokes I from whichever parallel hands are good.
                         Example: stokes='IQUV'
    projection           FITS code of the map projection of the image.
                         Example: projection='NCP'
    startmodel           Sky model [Jy/pixel] in the form of a CASA image, resampled to this grid and copied to <imagename>.model
                         before the first major cycle: a single-dish map, or the model of another run. A list holds one image per
                         Taylor term. It can't be combined with a model that is there from a former run.
                         Example: startmodel='totalpower.im', startmodel=['', 'try.model.tt1']
    specmode             'mfs' (or 'cont'): one channel from all selected data.
                         'cube': a spectral cube in the frame outframe, Doppler-tracked.
                         'cubesource': a cube in the rest frame of a moving source, with ephemeris correction.
                         'cubedata': a cube in the channels of the data, not Doppler-tracked.
                         'mvc': continuum with Taylor terms (deconvolver='mtmfs') whose major cycles go through a cube.
    reffreq              Frequency of the image's one channel, about which Taylor terms are expanded. '' takes the middle of the
                         selection.
                         Example: reffreq='1.5GHz'
    nchan                Channels of the cube; -1 makes as many as the selected data cover, given start and width.
                         Example: nchan=64
    start                Where the cube begins: a data channel (integer), a frequency, or a velocity. '' begins with the selection.
                         Frequency and velocity are read in outframe.
                         Example: start=10, start='230.1GHz', start='-15km/s'
    width                Width of an image channel: in data channels (integer), frequency, or velocity. '' keeps the width of the
                         data. A minus sign reverses the order of the channels.
                         Example: width=2, width='1MHz', width='-0.5km/s'
    outframe             Velocity frame of the spectral axis: LSRK, LSRD, BARY, GEO, TOPO, GALACTO, LGROUP, CMB or, for a moving
                         source, REST.
                         Example: outframe='BARY'
    veltype              Convention by which start and width are turned into frequency: 'radio', 'optical', 'z', 'ratio', 'beta' or
                         'gamma'.
    restfreq             Rest frequency at which the velocity is zero; the first of a list is used, all are stored. [] looks in the
                         MeasurementSet, then takes the middle of the selection.
                         Example: restfreq='1.420405752GHz'
    interpolation        How visibilities are taken from data channels to image channels and back: 'nearest', 'linear' or 'cubic'.
                         The last two need good data on either side, which matters at the edges of the band.
    perchanweightdensity Cubes with uniform or Briggs weighting: True counts the uv-density for each channel by itself (even noise
                         along the cube), False once for all channels together (even beam).
    gridder              'standard' ('ft', 'gridft'): prolate spheroidal kernel; the sky is flat.
                         'wproject' ('wprojectft'): corrects for the w-term with wprojplanes kernels.
                         'widefield': w-projection combined with facets.
                         'mosaic' ('mosaicft', 'ftmosaic'): many pointings in one grid, each with its antennas' primary beam.
                         'awproject' ('awprojectft'), 'awp2': kernels from aperture illumination, with or without the w-term.
                         'awphpg': the GPU gridder, in CASA builds that have it.
                         'imagemosaic': pointings imaged one by one and added up.
                         Example: gridder='mosaic'
    facets               The image is cut into facets x facets tangent planes, each gridded about its own centre.
                         Example: facets=3
    psfphasecenter       Direction (as in phasecenter) or field id for which the PSF of a mosaic is made, where no pointing is at
                         the image's centre. '' takes phasecenter.
                         Example: psfphasecenter=6
    wprojplanes          Kernels computed between the smallest and largest w. More planes cost memory and time and remove arcs
                         around sources far from the centre; -1 lets CASA choose for 'wproject' and 'widefield'.
                         Example: wprojplanes=128
    vptable              Table written by the vpmanager tool, which takes the place of the built-in beams. '' uses the built-in
                         ones.
                         Example: vptable='myvp.tab'
    mosweight            Uniform or Briggs weighting of a mosaic: True counts the uv-density field by field, False over all fields.
    aterm                'awproject': put the aperture illumination of the antennas into the gridding kernels.
    psterm               'awproject': multiply the kernels by the prolate spheroidal function against aliasing; needed with
                         aterm=False.
    wbawp                'awproject': scale the aperture illumination with the frequency of each channel.
    conjbeams            Grid each channel with the beam of the frequency mirrored about the reference, which takes the beam's
                         spectral slope out of a continuum image. Without effect on cubes.
    cfcache              'awproject': where kernels are kept for later runs with the same grid, data and terms.
                         '' stands for <imagename>.cf
                         Example: cfcache='kernels.cf'
    usepointing          Take the antennas' directions from the POINTING table instead of assuming that they point at the field's
                         centre.
    computepastep        Alt-az antennas: make new aperture illumination kernels when the sky has turned by this angle. 360 makes
                         them once.
                         Example: computepastep=5.0
    rotatepastep         Alt-az antennas: turn the nearest kernels when the sky has turned by this angle. 360 never turns them.
                         Example: rotatepastep=5.0
    pointingoffsetsigdev With usepointing=True in 'awproject': [spread within which antennas share one offset, drift with time
                         below which the grouping is kept]. [] acts as [600, 600].
                         Example: pointingoffsetsigdev=[30.0, 30.0]
    pblimit              Fraction of the primary beam's peak: farther out, nothing is divided by the beam and image pixels are
                         masked. A negative value keeps the level for the division but leaves the images without a mask.
                         Example: pblimit=0.1
    normtype             'flatnoise': sky times beam, with even noise; 'flatsky': the sky, with noise that rises outward;
                         'pbsquare': sky times beam squared.
    deconvolver          'hogbom': point components, whole PSF subtracted.
                         'clark', 'clarkstokes' (and their '_exp' variants): point components, patch of the PSF subtracted.
                         'multiscale': components of several sizes, see scales.
                         'mtmfs': the same with a Taylor expansion in frequency, see nterms.
                         'asp': components whose sizes adapt to the source.
                         'mem': maximum entropy, experimental.
                         Example: deconvolver='multiscale'
    scales               Diameters of the components of 'multiscale' and 'mtmfs': 0 for points, then about one beam, three beams,
                         ... The largest should stay well below the size of the mask. [] means points only.
                         Example: scales=[0, 5, 15]
    nterms               'mtmfs': 1 is a flat spectrum, 2 adds the spectral index, 3 its curvature.
                         Example: nterms=2
    smallscalebias       From -1 to 1: a positive value favours small scales, a negative one large scales.
                         Example: smallscalebias=0.6
    fusedthreshold       Below this peak residual 'asp' goes on for a while with point components, which is quicker; -1 never does.
                         Example: fusedthreshold=0.0001
    largestscale         Bounds the sizes that 'asp' tries first; -1 tries up to eight widths of the PSF.
                         Example: largestscale=100
    restoration          Convolve the model with the restoring beam, add the residual, and write the sum as <imagename>.image.
    restoringbeam        [] fits a Gaussian to each plane's PSF. 'common' takes one beam for the whole cube, the smallest that
                         contains all. One size is a round beam, [major, minor, position angle] an elliptical one; residuals are
                         smoothed to it.
                         Example: restoringbeam='common', restoringbeam=['0.8arcsec', '0.6arcsec', '30deg']
    pbcor                Also write <imagename>.image.pbcor, the restored image divided by the primary beam (where that exceeds
                         pblimit).
    outlierfile          Defines further small images, cleaned jointly with the main one: a bright source far from the centre, for
                         instance. Each block of name=value lines begins with imagename and may set imsize, cell, phasecenter,
                         mask, startmodel, gridder, wprojplanes, deconvolver, nterms, specmode, reffreq, nchan, start and width.
                         Example: outlierfile='outliers.txt'
    weighting            'natural': the data's weights; best sensitivity.
                         'uniform': divided by the weight density on the uv-grid; smallest beam.
                         'superuniform': the same with the density over a box of cells, see npixels.
                         'briggs': between natural and uniform, see robust.
                         'briggsabs': Briggs with an absolute noise, see noise.
                         'briggsbwtaper': Briggs with a taper against the cube's bandwidth; ALMA's choice for cubes.
                         'radial': weights grow with the baseline length.
                         Example: weighting='briggs'
    robust               Runs from -2 (close to uniform) to 2 (close to natural).
                         Example: robust=0.5
    noise                Expected noise of one visibility.
                         Example: noise='0.3Jy'
    npixels              Size of the box of uv-cells around each visibility. 0 is a single cell, or 7 x 7 cells with
                         'superuniform'.
                         Example: npixels=4
    uvtaper              [major, minor, position angle] of a Gaussian that down-weights long baselines: half width in the uv-plane
                         (lambda) or full width on the sky (an angle). One value is a round taper, [] none.
                         Example: uvtaper=['50klambda'], uvtaper=['2arcsec', '1arcsec', '45deg']
    niter                Minor cycle iterations, counted over all planes and checked between sets of them.
                         0 makes the dirty image only.
                         Example: niter=5000
    gain                 Loop gain: how much of the peak one iteration moves from the residual to the model. Extended emission
                         wants a low value.
                         Example: gain=0.05
    threshold            Cleaning ends when every plane's peak residual inside the mask is below this. Unit: Jy/beam where none is
                         given.
                         Example: threshold='5mJy', threshold=0.005
    nsigma               Each plane's own threshold as a multiple of its robust rms; the higher of this and threshold counts. 0:
                         not used.
                         Example: nsigma=3.0
    cycleniter           -1: bounded by niter alone.
                         Example: cycleniter=500
    cyclefactor          A minor cycle ends at (peak residual) x (highest PSF sidelobe) x cyclefactor. Less goes deeper before the
                         next major cycle, more is safer.
                         Example: cyclefactor=2.0
    minpsffraction       Lower bound on sidelobe x cyclefactor: no minor cycle goes below this fraction of the peak residual.
    maxpsffraction       Upper bound on sidelobe x cyclefactor: each minor cycle reaches down to this fraction of the peak residual
                         at least.
    interactive          A dialogue between cycles in tclean. pclean has no viewer and takes False only; nmajor=1 and an edited
                         mask do the same step by step.
    nmajor               Major cycles allowed after the one that makes the first residual; -1 sets no bound.
                         Example: nmajor=5
    fullsummary          True adds, per plane and minor cycle, the state at its start and its stop code to the returned dictionary.
    usemask              'user': in the mask given as mask, or everywhere.
                         'pb': where the primary beam exceeds pbmask.
                         'auto-multithresh': in a mask found anew from each residual (Kepley et al. 2020, PASP 132, 024505).
                         Example: usemask='auto-multithresh'
    mask                 Image with ones where components may be placed, CRTF region file, region text, or a list of these. A mask
                         on another grid is resampled; one with a single channel serves all channels. '' allows the whole image.
                         Example: mask='target.mask', mask='circle[[256pix, 256pix], 40pix]'
    pbmask               Pixels where the beam is below this fraction stay out of the mask, and out of the automask's noise. 0: no
                         bound.
                         Example: pbmask=0.2
    sidelobethreshold    Pixels enter the mask above sidelobethreshold x (highest PSF sidelobe) x (peak residual), if that is the
                         higher one.
                         Example: sidelobethreshold=2.0
    noisethreshold       Pixels enter the mask above noisethreshold x (robust rms of the plane), if that is the higher one.
                         Example: noisethreshold=4.25
    lownoisethreshold    The mask of the former cycle grows into connected pixels above this multiple of the rms.
                         Example: lownoisethreshold=1.5
    negativethreshold    Pixels below minus this multiple of the rms enter the mask too. 0: none do.
                         Example: negativethreshold=7.0
    smoothfactor         Size of the Gaussian, in beams, with which the thresholded mask is smoothed.
    minbeamfrac          Regions with less than this share of the beam's area are dropped. 0 or less keeps all.
    cutthreshold         Fraction of the smoothed mask's peak above which a pixel belongs to the mask.
    growiterations       Upper bound on the binary dilations by one pixel with which a former mask grows.
    dogrowprune          Apply minbeamfrac to what growing added as well.
    minpercentchange     A plane whose mask changes by less, once its noise threshold governs, keeps it to the end. Negative: not
                         checked.
                         Example: minpercentchange=1.0
    verbose              Writes noise, peak, threshold and region counts of each channel to the CASA log.
    fastnoise            For the automask and nsigma. True: from the median absolute deviation of the whole plane.
                         False: from pixels outside the present mask and inside the primary beam or, before there is one, after
                         Chauvenet's rejection of outliers. Slower.
    restart              True: images under imagename are used again, and cleaning goes on from the model. False: a fresh run under
                         the next free name, imagename_1, imagename_2, ...
    savemodel            'none': leave the MeasurementSet as it is. 'virtual': store the model image, to be predicted when asked
                         for.
                         'modelcolumn': write them to MODEL_DATA in the last major cycle.
    calcres              False: go on with the residual on disk or, with niter=0, make nothing but the PSF. True needs a PSF, new
                         or on disk.
    calcpsf              False: go on with PSF and sum of weights on disk.
    psfcutoff            The Gaussian beam is fitted to the main lobe above this fraction of the peak, 0.01 to 0.99.
                         Example: psfcutoff=0.5
    parallel             True: a cube's channels, or a continuum's rows, are shared among workers; a cube is the serial one to the
                         last bit. Workers are the ranks of the MPI job where there is one, nworkers processes on this machine
                         otherwise.
    nworkers             Workers that parallel=True starts on this machine. 0 starts one per core that this process may use. Under
                         an MPI launcher the job's ranks are the workers. With engine='ducc' up to 4 are threads of one process.
                         Example: nworkers=4
    engine               'casa' grids and degrids with CASA's own code: tclean's images to the last bit. 'ducc' grids with the ducc0
                         library, reads the data once and is many times faster; its images agree with tclean's within a few 1e-4 of
                         the peak, mosaics within a percent. It does mfs, cont, cube and cubedata with the gridders standard, wproject and
                         widefield (with the w term exact, whatever wprojplanes) and mosaic, all deconvolvers, and raises an error for
                         what it doesn't do. 'auto' takes ducc where it can and casa elsewhere, and says which in the log and in the return
                         dictionary ('engine'). '' is what `pclean run --engine` or the environment's PCLEAN_ENGINE says, else 'casa'.
                         Example: engine='ducc'
    resume               True: where a call with the same parameters, on the same data, was ended before its images were whole, by a signal, a
                         wall-time limit, a full disk or a failure, this one goes on from its last whole cycle, to the same images. Numbers of
                         workers may differ. False starts anew.
    automaskengine       'numpy': pclean's own implementation, which finds CASA's masks much faster. 'casa': CASA's.
    RETURNS              Iterations, major cycles, stop code and convergence history, as tclean returns them

    --------- examples -----------------------------------------------------------

    A cube, on all cores, with an automatic mask:

      pclean(vis='target.ms', imagename='target', specmode='cube', imsize=512, cell='0.1arcsec',
             weighting='briggs', robust=0.5, niter=5000, threshold='5mJy', usemask='auto-multithresh', parallel=True)

    A dirty continuum image:

      pclean(vis='target.ms', imagename='dirty', imsize=512, cell='0.1arcsec')
    """

    _info_group_ = 'imaging'
    _info_desc_ = 'Image visibilities as tclean does, on all cores'

    def __call__(
        self,
        vis: str | list[str] = '',
        selectdata: bool = True,
        field: str | list[str] = '',
        spw: str | list[str] = '',
        timerange: str | list[str] = '',
        uvrange: str | list[str] = '',
        antenna: str | list[str] = '',
        scan: str | list[str] = '',
        observation: str | int = '',
        intent: str | list[str] = '',
        datacolumn: str = 'corrected',
        imagename: int | str | list[str] = '',
        imsize: int | list[int] = [100],
        cell: int | float | list[int] | list[float] | str | list[str] = [],
        phasecenter: int | str = '',
        stokes: str = 'I',
        projection: str = 'SIN',
        startmodel: Any = '',
        specmode: str = 'mfs',
        reffreq: Any = '',
        nchan: int = -1,
        start: Any = '',
        width: Any = '',
        outframe: str = 'LSRK',
        veltype: str = 'radio',
        restfreq: Any = [],
        interpolation: str = 'linear',
        perchanweightdensity: bool = True,
        gridder: str = 'standard',
        facets: int = 1,
        psfphasecenter: int | str = '',
        wprojplanes: int = 1,
        vptable: str = '',
        mosweight: bool = True,
        aterm: bool = True,
        psterm: bool = False,
        wbawp: bool = True,
        conjbeams: bool = False,
        cfcache: str = '',
        usepointing: bool = False,
        computepastep: float = 360.0,
        rotatepastep: float = 360.0,
        pointingoffsetsigdev: list[int] | list[float] = [],
        pblimit: float = 0.2,
        normtype: str = 'flatnoise',
        deconvolver: str = 'hogbom',
        scales: list[int] | list[float] = [],
        nterms: int = 2,
        smallscalebias: float = 0.0,
        fusedthreshold: float = 0.0,
        largestscale: int = -1,
        restoration: bool = True,
        restoringbeam: str | list[str] = [],
        pbcor: bool = False,
        outlierfile: str = '',
        weighting: str = 'natural',
        robust: float = 0.5,
        noise: Any = '1.0Jy',
        npixels: int = 0,
        uvtaper: list[str] = [''],
        niter: int = 0,
        gain: float = 0.1,
        threshold: Any = 0.0,
        nsigma: float = 0.0,
        cycleniter: int = -1,
        cyclefactor: float = 1.0,
        minpsffraction: float = 0.05,
        maxpsffraction: float = 0.8,
        interactive: bool = False,
        nmajor: int = -1,
        fullsummary: bool = False,
        usemask: str = 'user',
        mask: str | list[str] = '',
        pbmask: float = 0.0,
        sidelobethreshold: float = 3.0,
        noisethreshold: float = 5.0,
        lownoisethreshold: float = 1.5,
        negativethreshold: float = 0.0,
        smoothfactor: float = 1.0,
        minbeamfrac: float = 0.3,
        cutthreshold: float = 0.01,
        growiterations: int = 75,
        dogrowprune: bool = True,
        minpercentchange: float = -1.0,
        verbose: bool = False,
        fastnoise: bool = True,
        restart: bool = True,
        savemodel: str = 'none',
        calcres: bool = True,
        calcpsf: bool = True,
        psfcutoff: float = 0.35,
        parallel: bool = False,
        nworkers: int = 0,
        engine: str = '',
        resume: bool = True,
        automaskengine: str = 'numpy',
        **unknown: Any,
    ) -> dict[str, Any]:
        _task_call.check_unknown(unknown)
        doc = {
            'vis': vis,
            'selectdata': selectdata,
            'field': field,
            'spw': spw,
            'timerange': timerange,
            'uvrange': uvrange,
            'antenna': antenna,
            'scan': scan,
            'observation': observation,
            'intent': intent,
            'datacolumn': datacolumn,
            'imagename': imagename,
            'imsize': imsize,
            'cell': cell,
            'phasecenter': phasecenter,
            'stokes': stokes,
            'projection': projection,
            'startmodel': startmodel,
            'specmode': specmode,
            'reffreq': reffreq,
            'nchan': nchan,
            'start': start,
            'width': width,
            'outframe': outframe,
            'veltype': veltype,
            'restfreq': restfreq,
            'interpolation': interpolation,
            'perchanweightdensity': perchanweightdensity,
            'gridder': gridder,
            'facets': facets,
            'psfphasecenter': psfphasecenter,
            'wprojplanes': wprojplanes,
            'vptable': vptable,
            'mosweight': mosweight,
            'aterm': aterm,
            'psterm': psterm,
            'wbawp': wbawp,
            'conjbeams': conjbeams,
            'cfcache': cfcache,
            'usepointing': usepointing,
            'computepastep': computepastep,
            'rotatepastep': rotatepastep,
            'pointingoffsetsigdev': pointingoffsetsigdev,
            'pblimit': pblimit,
            'normtype': normtype,
            'deconvolver': deconvolver,
            'scales': scales,
            'nterms': nterms,
            'smallscalebias': smallscalebias,
            'fusedthreshold': fusedthreshold,
            'largestscale': largestscale,
            'restoration': restoration,
            'restoringbeam': restoringbeam,
            'pbcor': pbcor,
            'outlierfile': outlierfile,
            'weighting': weighting,
            'robust': robust,
            'noise': noise,
            'npixels': npixels,
            'uvtaper': uvtaper,
            'niter': niter,
            'gain': gain,
            'threshold': threshold,
            'nsigma': nsigma,
            'cycleniter': cycleniter,
            'cyclefactor': cyclefactor,
            'minpsffraction': minpsffraction,
            'maxpsffraction': maxpsffraction,
            'interactive': interactive,
            'nmajor': nmajor,
            'fullsummary': fullsummary,
            'usemask': usemask,
            'mask': mask,
            'pbmask': pbmask,
            'sidelobethreshold': sidelobethreshold,
            'noisethreshold': noisethreshold,
            'lownoisethreshold': lownoisethreshold,
            'negativethreshold': negativethreshold,
            'smoothfactor': smoothfactor,
            'minbeamfrac': minbeamfrac,
            'cutthreshold': cutthreshold,
            'growiterations': growiterations,
            'dogrowprune': dogrowprune,
            'minpercentchange': minpercentchange,
            'verbose': verbose,
            'fastnoise': fastnoise,
            'restart': restart,
            'savemodel': savemodel,
            'calcres': calcres,
            'calcpsf': calcpsf,
            'psfcutoff': psfcutoff,
            'parallel': parallel,
            'nworkers': nworkers,
            'engine': engine,
            'resume': resume,
            'automaskengine': automaskengine,
        }
        if _task_call.is_rank():
            return _task_call.call_together(doc)
        with _task_call.casa_loaded(doc):
            from casatools.typecheck import CasaValidator as _val_ctor

            document = _task_call.validate(_val_ctor(), doc, self._schema())
            from .private.task_pclean import pclean as _task

            return _task_call.run("pclean", _task, document)

    @staticmethod
    def _schema() -> dict[str, Any]:
        from casatools.coercetype import coerce as _coerce

        return {
            'vis': {'anyof': [{'type': 'cReqPath', 'coerce': _coerce.expand_path}, {'type': 'cReqPathVec', 'coerce': [_coerce.to_list, _coerce.expand_pathvec]}]},
            'selectdata': {'type': 'cBool'},
            'field': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'spw': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'timerange': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'uvrange': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'antenna': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'scan': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'observation': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cInt'}]},
            'intent': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'datacolumn': {'type': 'cStr', 'coerce': _coerce.to_str},
            'imagename': {'anyof': [{'type': 'cInt'}, {'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'imsize': {'anyof': [{'type': 'cInt'}, {'type': 'cIntVec', 'coerce': [_coerce.to_list, _coerce.to_intvec]}]},
            'cell': {'anyof': [{'type': 'cInt'}, {'type': 'cFloat', 'coerce': _coerce.to_float}, {'type': 'cIntVec', 'coerce': [_coerce.to_list, _coerce.to_intvec]}, {'type': 'cFloatVec', 'coerce': [_coerce.to_list, _coerce.to_floatvec]}, {'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'phasecenter': {'anyof': [{'type': 'cInt'}, {'type': 'cStr', 'coerce': _coerce.to_str}]},
            'stokes': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['I', 'Q', 'U', 'V', 'IV', 'QU', 'IQ', 'UV', 'IQUV', 'RR', 'LL', 'XX', 'YY', 'RRLL', 'XXYY', 'pseudoI']},
            'projection': {'type': 'cStr', 'coerce': _coerce.to_str},
            'startmodel': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'specmode': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['mfs', 'cont', 'cube', 'cubedata', 'cubesource', 'mvc']},
            'reffreq': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'nchan': {'type': 'cInt'},
            'start': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'width': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'outframe': {'type': 'cStr', 'coerce': _coerce.to_str},
            'veltype': {'type': 'cStr', 'coerce': _coerce.to_str},
            'restfreq': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'interpolation': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['nearest', 'linear', 'cubic']},
            'perchanweightdensity': {'type': 'cBool'},
            'gridder': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['standard', 'ft', 'gridft', 'widefield', 'wproject', 'wprojectft', 'mosaic', 'ftmosaic', 'mosaicft', 'imagemosaic', 'awproject', 'awprojectft', 'awphpg', 'awp2']},
            'facets': {'type': 'cInt'},
            'psfphasecenter': {'anyof': [{'type': 'cInt'}, {'type': 'cStr', 'coerce': _coerce.to_str}]},
            'wprojplanes': {'type': 'cInt'},
            'vptable': {'type': 'cStr', 'coerce': _coerce.to_str},
            'mosweight': {'type': 'cBool'},
            'aterm': {'type': 'cBool'},
            'psterm': {'type': 'cBool'},
            'wbawp': {'type': 'cBool'},
            'conjbeams': {'type': 'cBool'},
            'cfcache': {'type': 'cStr', 'coerce': _coerce.to_str},
            'usepointing': {'type': 'cBool'},
            'computepastep': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'rotatepastep': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'pointingoffsetsigdev': {'anyof': [{'type': 'cIntVec', 'coerce': [_coerce.to_list, _coerce.to_intvec]}, {'type': 'cFloatVec', 'coerce': [_coerce.to_list, _coerce.to_floatvec]}]},
            'pblimit': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'normtype': {'type': 'cStr', 'coerce': _coerce.to_str},
            'deconvolver': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['hogbom', 'clark', 'clarkstokes', 'clark_exp', 'clarkstokes_exp', 'multiscale', 'mtmfs', 'mem', 'asp']},
            'scales': {'anyof': [{'type': 'cIntVec', 'coerce': [_coerce.to_list, _coerce.to_intvec]}, {'type': 'cFloatVec', 'coerce': [_coerce.to_list, _coerce.to_floatvec]}]},
            'nterms': {'type': 'cInt'},
            'smallscalebias': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'fusedthreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'largestscale': {'type': 'cInt'},
            'restoration': {'type': 'cBool'},
            'restoringbeam': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'pbcor': {'type': 'cBool'},
            'outlierfile': {'type': 'cStr', 'coerce': _coerce.to_str},
            'weighting': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['natural', 'uniform', 'briggs', 'briggsabs', 'radial', 'superuniform', 'briggsbwtaper']},
            'robust': {'type': 'cFloat', 'coerce': _coerce.to_float, 'min': -2.0, 'max': 2.0},
            'noise': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'npixels': {'type': 'cInt'},
            'uvtaper': {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]},
            'niter': {'type': 'cInt'},
            'gain': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'threshold': {'type': 'cVariant', 'coerce': [_coerce.to_variant]},
            'nsigma': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'cycleniter': {'type': 'cInt'},
            'cyclefactor': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'minpsffraction': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'maxpsffraction': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'interactive': {'type': 'cBool'},
            'nmajor': {'type': 'cInt'},
            'fullsummary': {'type': 'cBool'},
            'usemask': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['user', 'pb', 'auto-multithresh']},
            'mask': {'anyof': [{'type': 'cStr', 'coerce': _coerce.to_str}, {'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]}]},
            'pbmask': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'sidelobethreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'noisethreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'lownoisethreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'negativethreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'smoothfactor': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'minbeamfrac': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'cutthreshold': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'growiterations': {'type': 'cInt'},
            'dogrowprune': {'type': 'cBool'},
            'minpercentchange': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'verbose': {'type': 'cBool'},
            'fastnoise': {'type': 'cBool'},
            'restart': {'type': 'cBool'},
            'savemodel': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['none', 'virtual', 'modelcolumn']},
            'calcres': {'type': 'cBool'},
            'calcpsf': {'type': 'cBool'},
            'psfcutoff': {'type': 'cFloat', 'coerce': _coerce.to_float},
            'parallel': {'type': 'cBool'},
            'nworkers': {'type': 'cInt', 'min': 0.0},
            'engine': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['', 'casa', 'ducc', 'auto']},
            'resume': {'type': 'cBool'},
            'automaskengine': {'type': 'cStr', 'coerce': _coerce.to_str, 'allowed': ['numpy', 'casa']},
        }


pclean = _pclean()
